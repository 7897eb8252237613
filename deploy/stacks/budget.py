"""A monthly budget, and who is told before and when it is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_budgets as budgets
from constructs import Construct

if TYPE_CHECKING:
    from deploy.config import DeployConfig

THRESHOLDS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""In percent of the budget: spent already, or expected by the month's end."""


class Budget(Construct):
    """Tells one address by e-mail; it stops nothing.

    It counts what the whole account costs: AWS filters by the tag ``Deployment`` only after
    somebody has made that a cost allocation tag, and would tell of nothing until then.
    """

    def __init__(self, scope: Construct, construct_id: str, *, config: DeployConfig) -> None:
        super().__init__(scope, construct_id)
        email = budgets.CfnBudget.SubscriberProperty(
            subscription_type="EMAIL", address=config.budget_email
        )
        budgets.CfnBudget(
            self,
            "Monthly",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"{config.name}-monthly",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=config.budget_usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[email],
                )
                for kind, percent in THRESHOLDS
            ],
        )
