"""doctor: what happened to a deployment that is ill or has died. Reading is one thing, the diagnosis a pure other."""

from mlpack.doctor.diagnose import diagnose
from mlpack.doctor.facts import Diagnosis, DoctorReport, Facts, Patient

__all__ = ["Diagnosis", "DoctorReport", "Facts", "Patient", "diagnose"]
