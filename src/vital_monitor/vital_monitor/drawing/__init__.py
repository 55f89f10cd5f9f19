"""From what is known to what is shown: text, drawings, links and points; no ROS, no page."""
