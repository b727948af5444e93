"""The form of what is told to programs; it is named in every answer, so that another form can be told from it."""

SCHEMA = "reconciler/v1"
