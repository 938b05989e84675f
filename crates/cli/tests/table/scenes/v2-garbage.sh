# from fixture v2-garbage
# The fixture as it is.
:
