# from fixture bad-missing-pack
# The fixture as it is.
:
