"""The models as they answer, and the intervals around their answers: what archives carry."""
