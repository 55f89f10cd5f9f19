"""Studies: everything a table rests on, made by one command that resumes, from demonstrations to page."""
