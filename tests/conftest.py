"""What all tests share."""

from hypothesis import HealthCheck, settings

# Machines that test are shared and slow at times: only wrong answers fail, not late ones.
settings.register_profile("gmmcli", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gmmcli")
