"""pytest plugin: activate with `-p launch_testing.pytest.hooks`."""
