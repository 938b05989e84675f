# from fixture bad-no-index
# The fixture as it is.
:
