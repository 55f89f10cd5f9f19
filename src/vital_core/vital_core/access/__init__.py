"""Who may take the operator's seat where others can knock: keys, lock-out, and a bounded room to wait in."""
