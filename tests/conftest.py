"""What holds for all tests of the toolkit."""

from hypothesis import settings

# Nothing that is tested depends on time: on a busy machine an example takes as long as it takes.
settings.register_profile("default", settings.get_profile("default"), deadline=None)
