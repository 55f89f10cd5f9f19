"""What stands on the table, from one depth image."""
