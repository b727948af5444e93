"""A binhost as a folder that Portage reads."""
