# from fixture bad-missing-treepack
# The fixture as it is.
:
