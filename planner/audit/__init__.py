"""The independent check of a saved plan: its rows, its costs and its bound, stated a second time.

Nothing here knows Pyomo, a solver or the planner's own equations. The families of this package
write every variable, constraint and cost term again from the `Instance`, in numpy and scipy;
the checks then hold a plan and its certificate against them.

    model = audit_model(instance)
    report = check_primal(model, values)            # rows, column bounds, whole numbers
    report += check_cost(model, values, cost_usd, objective_usd)
    report += check_bound(model, certificate_of(nodes, duals), bound_usd)
    report.require()                                # AuditError when anything was found
"""

from planner.audit.certificate import Certificate, certificate_of
from planner.audit.checks import check_bound, check_cost, check_primal
from planner.audit.model import FAMILIES, AuditModel, audit_model
from planner.audit.report import FamilyCheck, Finding, Report
from planner.audit.values import Labelled

__all__ = [
    "FAMILIES",
    "AuditModel",
    "Certificate",
    "FamilyCheck",
    "Finding",
    "Labelled",
    "Report",
    "audit_model",
    "certificate_of",
    "check_bound",
    "check_cost",
    "check_primal",
]
