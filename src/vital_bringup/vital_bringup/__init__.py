"""The whole stack as one system: launch files, task server, deployment and its report."""
