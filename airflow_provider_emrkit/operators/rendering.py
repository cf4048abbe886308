"""Templates inside of jobs, clusters and pools, for operators and sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import render_to_text
from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.templating import map_strings

if TYPE_CHECKING:
    from airflow_provider_emrkit._compat import BaseOperator as _Operator
    from airflow_provider_emrkit._compat import Context
else:
    _Operator = object


class RendersSpecs(_Operator):
    """Renders the templates inside of emrkit's specs; stands before the operator it is mixed into.

    >>> class EmrThingOperator(RendersSpecs, BaseOperator):  # doctest: +SKIP
    ...     template_fields = ("cluster_pool",)
    """

    def render_template(
        self, content: Any, context: Context, jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """Render templates, also those inside of jobs and clusters.

        What is inside stays text as it is written, to its last newline, and also where the DAG has
        ``render_template_as_native_obj``: Spark takes texts, and ``{"a": 1}`` must not come to it as a
        dict's ``{'a': 1}``.

        :raises InvalidValueError: when a rendered value can't be right; it names the field.
        """
        if not isinstance(content, FrozenSpec) or (seen_oids is not None and id(content) in seen_oids):
            return super().render_template(content, context, jinja_env, seen_oids)
        env = self._text_env(jinja_env or self.get_template_env())
        return map_strings(content, lambda text: render_to_text(env.from_string(text), context))

    def _text_env(self, jinja_env: Any) -> Any:
        from jinja2.nativetypes import NativeEnvironment

        dag = self.get_dag()
        if isinstance(jinja_env, NativeEnvironment) and dag is not None:
            jinja_env = dag.get_template_env(force_sandboxed=True)
        return jinja_env.overlay(keep_trailing_newline=True)
