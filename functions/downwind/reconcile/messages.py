"""The text of a notice: the channel's templates, filled in. Escaping is the adapter's: it knows its system's own form."""

from urllib.parse import quote

from downwind.model.channels import CommitStatus, Mail
from downwind.model.notice import Notice
from downwind.model.template import fill
from downwind.reconcile import names
from downwind.reconcile.steps import Notify

TEXT_LIMIT = 3000
"""Characters: under what every receiver takes."""
SUBJECT_LIMIT = 200


def compose(application: str, step: Notify, page: str | None) -> Notice:
    """`page`: the run in Spinnaker's pages, where the installation has any; the channel's own `link` goes before it."""
    channel = step.channel
    link = page if channel.link is None else fill(channel.link, step.fields, lambda value: quote(value, safe=""))
    fields = {**step.fields, "link": link or ""}
    subject = fill(channel.target.subject, fields) if isinstance(channel.target, Mail) else ""
    context = fill(channel.target.context, fields) if isinstance(channel.target, CommitStatus) else ""
    return Notice(
        id=names.notice_id(application, step.environment, step.n, channel.name),
        state=step.state,
        fields=fields,
        text=_tidy(fill(channel.text, fields))[:TEXT_LIMIT],
        subject=" ".join(subject.split())[:SUBJECT_LIMIT],
        context=context,
        link=link,
    )


def _tidy(text: str) -> str:
    """A field without a value leaves its colon and spaces behind."""
    return text.strip().removesuffix(":").rstrip()
