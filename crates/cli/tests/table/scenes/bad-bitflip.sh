# from fixture bad-bitflip
# The fixture as it is.
:
