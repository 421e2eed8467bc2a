"""Lets the assertions of the contract kit say what they compared."""

import pytest

pytest.register_assert_rewrite("adapters.contract", "adapters.contract_platform")
