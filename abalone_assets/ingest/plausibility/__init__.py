"""Whether a survey file as a whole shows animals like those of the base survey.

A row's own limits cannot see that a crew wrote kilograms: each value is that of a smaller animal.
What gives it away is how measurements go together, over all animals of the file. A profile holds
these relations, fitted robustly on the base survey; a file that is off from one as a whole is held
until a person says that it is right. Rates of false alarms and detection are in
``docs/benchmarks.md``.
"""
