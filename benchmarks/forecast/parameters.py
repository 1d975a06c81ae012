"""Where the parameters of the seasonal forecaster come from: the first half of the year.

    python -m benchmarks.forecast.parameters

Every combination plans for the pairs of grids on origins from the end of January to June; printed is the mean regret of
plans held for 1 to 7 days, the best first. July to December, which `evaluate` shows apart, had no say.
"""

from __future__ import annotations

from itertools import product

from benchmarks.forecast.scores import held, regret
from benchmarks.forecast.traces import PAIRS, Origins, forecasts, trace, what_came_true
from benchmarks.usage import take_no_arguments
from multi_x_serverless.collection.forecast import Seasonal
from multi_x_serverless.collection.hours import DAYS_IN_WEEK
from multi_x_serverless.model.units import HOURS_PER_DAY

FIRST_HALF_ENDS_ON_DAY = 181 - DAYS_IN_WEEK
DECAYS = (0.8, 0.85, 0.9, 0.95)
DAY_KIND_SHARES = (0.0, 0.25, 0.5, 1.0)
PERSISTENCES = (0.0, 0.9, 0.93, 0.95, 0.97, None)


def main() -> None:
    intensities = trace()
    origins = Origins.of_the_year(last_day=FIRST_HALF_ENDS_ON_DAY)
    came_true = what_came_true(intensities, origins)
    found = []
    for decay, share, persistence in product(DECAYS, DAY_KIND_SHARES, PERSISTENCES):
        seasonal = Seasonal(decay=decay, day_kind_share=share, persistence=persistence)
        of_plan = regret(held(forecasts(seasonal, intensities, origins)), came_true, PAIRS)
        by_days = [of_plan.percent_of_best(hours=slice(days * HOURS_PER_DAY)) for days in range(1, DAYS_IN_WEEK + 1)]
        found.append((sum(by_days) / len(by_days), decay, share, persistence))
    print(f"{len(origins.hours)} origins; regret of plans held 1-7 days, % of the best")
    for score, decay, share, persistence in sorted(found, key=lambda entry: entry[0]):
        kept = "fitted" if persistence is None else f"{persistence:g}"
        print(f"{score:.4f}  decay {decay:g}, day kind share {share:g}, persistence {kept}")


if __name__ == "__main__":
    take_no_arguments("benchmarks.forecast.parameters", __doc__)
    main()
