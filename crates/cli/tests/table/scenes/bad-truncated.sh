# from fixture bad-truncated
# The fixture as it is.
:
