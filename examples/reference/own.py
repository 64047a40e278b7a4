"""Small code lists of the demonstration data, which no published reference file holds."""

from __future__ import annotations

from calendar import month_name

from examples.reference.codelist import OGL, CodeListFile, Codes, Grouping, flat

OWN = "Categories of this project, for the demonstration data only."


def periods() -> CodeListFile:
    return CodeListFile("period", "Calendar year", OWN, "2025", integers=(2021, 2025))


def vacancy_months() -> CodeListFile:
    return _months("vacancy_month", "Month of advertisement", (2024, 1), 24)


def start_months() -> CodeListFile:
    return _months("start_month", "Month in which learning started", (2022, 8), 36)


def _months(name: str, title: str, first: tuple[int, int], number: int) -> CodeListFile:
    """``number`` months from ``first`` (year, month) on: no more than there are data for, so that none is empty."""
    rows = []
    for month in range(12 * first[0] + first[1] - 1, 12 * first[0] + first[1] - 1 + number):
        year, of_year = divmod(month, 12)
        quarter = of_year // 3 + 1
        rows.append(
            {
                "year": str(year),
                "year_name": str(year),
                "quarter": f"{year}-Q{quarter}",
                "quarter_name": f"Quarter {quarter} of {year}",
                "month": f"{year}-{of_year + 1:02}",
                "month_name": f"{month_name[of_year + 1]} {year}",
            }
        )
    levels = {"year": "Year", "quarter": "Quarter", "month": "Month"}
    return CodeListFile(name, title, OWN, "2025", levels, rows)


def size_bands() -> CodeListFile:
    """Employment size bands, with the four sizes of enterprise that they make up."""
    bands = {
        "0-4": ("micro", "0 to 4 employees"),
        "5-9": ("micro", "5 to 9 employees"),
        "10-19": ("small", "10 to 19 employees"),
        "20-49": ("small", "20 to 49 employees"),
        "50-99": ("medium", "50 to 99 employees"),
        "100-249": ("medium", "100 to 249 employees"),
        "250-499": ("large", "250 to 499 employees"),
        "500-999": ("large", "500 to 999 employees"),
        "1000+": ("large", "1,000 employees and more"),
    }
    sizes = {"micro": "Micro (0 to 9)", "small": "Small (10 to 49)", "medium": "Medium (50 to 249)"}
    sizes["large"] = "Large (250 and more)"
    rows = [
        {"size": size, "size_name": sizes[size], "size_band": code, "size_band_name": title}
        for code, (size, title) in bands.items()
    ]
    return CodeListFile(
        "size_band",
        "Employment size band",
        f"Bands as in UK Business: Activity, Size and Location (ONS, {OGL}), the largest divided further.",
        "2025",
        {"size": "Size of enterprise", "size_band": "Size band"},
        rows,
    )


def provision() -> CodeListFile:
    names = {
        "YP": "Study programme for young people",
        "APP": "Apprenticeship",
        "ASF_DEVOLVED": "Adult skills fund, devolved",
        "ASF_NATIONAL": "Adult skills fund, national",
        "LOAN": "Advanced learner loan",
    }
    return flat("provision", "Provision and its funding", OWN, "2025", names)


def destination() -> CodeListFile:
    names = {
        "EMPLOYMENT": "Sustained employment",
        "LEARNING": "Sustained learning",
        "BOTH": "Sustained employment and learning",
        "NONE": "No sustained destination",
        "UNKNOWN": "Not captured in the data",
    }
    positive = ("EMPLOYMENT", "LEARNING", "BOTH")
    base = flat("destination", "Sustained destination after learning", OWN, "2025", names)
    return base.with_groupings(
        positive_destination=Grouping(
            "Sustained positive destination and other",
            {
                "positive": Codes("Sustained positive destination", positive),
                "other": Codes("No or unknown destination", ("NONE", "UNKNOWN")),
            },
        ),
    )


def yes_no() -> CodeListFile:
    return flat("yes_no", "Yes or no", OWN, "2025", {"Y": "Yes", "N": "No"})


BUILDERS = (periods, vacancy_months, start_months, size_bands, provision, destination, yes_no)
