"""Tasks that show a run as the operators do, without any EMR."""

from __future__ import annotations

from airflow_provider_emrkit._compat import BaseOperator
from airflow_provider_emrkit.links import OPERATOR_LINKS, announce, console_links
from airflow_provider_emrkit.operators.begun import run_token
from airflow_provider_emrkit.runs.job_run import JobRun

try:
    from airflow.sdk import DAG
except ImportError:  # before Airflow 3
    from airflow import DAG


class ShowRun(BaseOperator):
    template_fields = ("emrkit_conn_id", "job_run_id")
    operator_extra_links = OPERATOR_LINKS

    def __init__(self, *, emrkit_conn_id: str, job_run_id: str, **kwargs):
        super().__init__(**kwargs)
        self.emrkit_conn_id = emrkit_conn_id
        self.job_run_id = job_run_id

    def execute(self, context):
        if not self.job_run_id:
            return
        ti = context["ti"]
        run = JobRun("job_run", "", "", str(run_token(ti)), "sales", "us-east-1", application_id="00f1app")
        run = JobRun.from_dict({**run.to_dict(), "job_run_id": self.job_run_id})
        links = console_links(run, on_aws=True, task_instance=ti)
        announce(run, links, lambda key, value: ti.xcom_push(key=key, value=value))


with DAG("emrkit_links", schedule=None):
    ShowRun(task_id="load", emrkit_conn_id="emrkit_{{ 'links' }}", job_run_id="00f1run")
    ShowRun.partial(task_id="mapped", emrkit_conn_id="emrkit_links").expand(job_run_id=["00f1a", "00f1b"])
    ShowRun(task_id="lost", emrkit_conn_id="no_such_connection", job_run_id="00f1run")
    ShowRun(task_id="idle", emrkit_conn_id="emrkit_links", job_run_id="")
