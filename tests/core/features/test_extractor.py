from datetime import date

from evergreen.core.features.extractor import fit_extractor
from evergreen.settings.features import FeatureSettings

DAY = date(2024, 3, 1)


def test_horizons_are_windows_too(database, snapshots):
    extractor = fit_extractor(
        database([("a", date(2024, 1, 1)), ("b", date(2024, 2, 20))]),
        snapshots(("a", DAY), ("b", DAY)),
        fitted_on=DAY,
        features=FeatureSettings(windows_days=[7, 28]),
        horizons_days=[10, 28],
        minor_units=100,
        seed=1,
    )
    assert extractor.windows_days == (7, 10, 28)
    assert {"purchases_10d", "spend_10d"} <= {*extractor.numeric, *extractor.left_out}
