"""Gentoo's Portage, called as a program."""
