"""The sentinel-file protocol: standard library only, usable from a hook or a CI runner without the rest."""
