"""GitHub's REST API, version 2022-11-28: where a repository's is, and with which headers."""

from urllib.parse import urlsplit

API_VERSION = "2022-11-28"
CREDENTIALS = "give the secret a token that may write commit statuses (or deployments) of that repository"


def api_of(repository: str, endpoint: str | None) -> str:
    """The API's address of a repository's pages; GitHub Enterprise Server has its API under its own host.
    `endpoint`: the local world's, which stands for all hosts."""
    parts = urlsplit(repository)
    base = "https://api.github.com" if parts.hostname == "github.com" else f"{parts.scheme}://{parts.netloc}/api/v3"
    if endpoint is not None:
        base = f"{endpoint}/github"
    return f"{base}/repos{parts.path}"


def headers(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": API_VERSION,
        "User-Agent": "downwind",
    }
