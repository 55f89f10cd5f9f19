"""What is known of the stack, who steers, and what is offered: without ROS, without a page."""
