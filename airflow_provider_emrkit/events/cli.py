"""``emrkit events-setup``: the queue and the rule through which EMR's state changes reach Airflow at once."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from airflow_provider_emrkit.account import add_account_options, open_client, open_session
from airflow_provider_emrkit.events.provision import EventsSetup, MadeEvents
from airflow_provider_emrkit.events.resources import DEFAULT_NAME, reader_policy, template

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

_DESCRIPTION = """EMR tells EventBridge of every state change. A rule that puts those of emrkit's runs into
an SQS queue lets Airflow's triggerer see them within a second, and ask EMR far less.

Without --create or --delete nothing is changed: a CloudFormation template is printed."""

_EXAMPLES = """examples:
  emrkit events-setup > events.json               a template to look at, and to deploy with:
  aws cloudformation deploy --stack-name emrkit-events --template-file events.json
  emrkit events-setup --create --region eu-west-1
  emrkit events-setup --create --endpoint-url http://127.0.0.1:5005    on a local EMR
  emrkit events-setup --delete --region eu-west-1
"""


def add_parser(commands: Any, formatter: type[argparse.HelpFormatter]) -> None:
    """Add ``events-setup`` to a parser.

    :param commands: What ``add_subparsers`` returned.
    """
    parser = commands.add_parser(
        "events-setup",
        help="let EMR's state changes reach Airflow at once",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=formatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--create", action="store_true", help="make the queue and the rule, or set them right again"
    )
    what.add_argument("--delete", action="store_true", help="remove the rule and the queue")
    parser.add_argument(
        "--name",
        type=_name,
        default=DEFAULT_NAME,
        help="name of the queue and the rule (default: %(default)s)",
    )
    add_account_options(parser, "account, for --create and --delete")
    parser.set_defaults(run=_run)


def _name(text: str) -> str:
    if _NAME.fullmatch(text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} can't name a queue and a rule; use 1 to 64 letters, digits, '-' and '_'"
    )


def _run(given: argparse.Namespace) -> int:
    if given.create:
        return _create(given)
    if given.delete:
        return _delete(given)
    return _print_template(given.name)


def _print_template(name: str) -> int:
    print(json.dumps(template(name), indent=2), flush=True)
    print(
        "The triggerer's role needs this policy, with the stack's output EventsQueueArn in it:\n"
        f"{_shown(reader_policy('EventsQueueArn'))}\n"
        "The output EventsQueueUrl is the field events_queue_url of Airflow's emrkit connection.",
        file=sys.stderr,
        flush=True,
    )
    return 0


def _create(given: argparse.Namespace) -> int:
    made = _setup(given).create()
    print(_made_text(made), flush=True)
    return 0


def _made_text(made: MadeEvents) -> str:
    setting = json.dumps({"events_queue_url": made.queue_url})
    return (
        f"queue  {made.queue_arn}\n"
        f"rule   {made.rule_arn}\n\n"
        "Put this into the extra of Airflow's emrkit connection:\n"
        f"{setting}\n\n"
        "and allow this to the triggerer's role:\n"
        f"{_shown(reader_policy(made.queue_arn))}"
    )


def _shown(policy: dict[str, Any]) -> str:
    return json.dumps(policy, indent=2)


def _delete(given: argparse.Namespace) -> int:
    for words in _setup(given).delete() or [f"nothing: there is no queue and no rule {given.name}"]:
        print(f"removed {words}", flush=True)
    return 0


def _setup(given: argparse.Namespace) -> EventsSetup:
    session = open_session(given)
    sqs, events = (open_client(session, name, given) for name in ("sqs", "events"))
    return EventsSetup(sqs, events, given.name)
