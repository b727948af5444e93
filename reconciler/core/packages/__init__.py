"""Packages as Gentoo names them: versions, atoms, sets, and what a binhost lacks of what is wanted."""
