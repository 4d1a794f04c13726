"""Why a build ends before its time; the text is for the person who reads its log."""


class BuildFailure(Exception):  # noqa: N818 - the word of the field: a build fails
    """The build's status becomes FAILURE and its statusDetail this text."""
