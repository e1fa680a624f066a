"""Reads measurements from a CSV file and writes a daily report."""

import argparse
import csv
import json
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from statistics import mean

from sensors import Reading, Sensor, SensorNotFound, find_sensor


def load_sensors(path: Path) -> list[Sensor]:
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    return [Sensor(entry["id"], entry["location"], entry.get("unit", "°C")) for entry in entries]


def load_readings(path: Path, sensors: list[Sensor]) -> int:
    """Adds the readings of the file to the sensors and returns how many were skipped."""
    skipped = 0
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                sensor = find_sensor(sensors, row["sensor_id"])
                taken_at = datetime.fromisoformat(row["taken_at"])
                sensor.record(float(row["value"]), taken_at)
            except (SensorNotFound, ValueError) as error:
                print(f"skipping {row}: {error}", file=sys.stderr)
                skipped += 1
    return skipped


def by_day(readings: list[Reading]) -> dict[str, list[float]]:
    days = defaultdict(list)
    for reading in readings:
        days[reading.taken_at.date().isoformat()].append(reading.value)
    return dict(days)


def report(sensor: Sensor) -> str:
    lines = [f"{sensor.location} ({sensor.sensor_id})"]
    for day, values in sorted(by_day(sensor.readings).items()):
        lowest, highest = min(values), max(values)
        lines.append(f"  {day}: {mean(values):.1f} {sensor.unit}, {lowest:.1f} to {highest:.1f}")
    if len(lines) == 1:
        lines.append("  no readings")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sensors", type=Path, help="JSON file with the sensors")
    parser.add_argument("readings", type=Path, help="CSV file with the readings")
    parser.add_argument("--output", type=Path, help="where to write the report")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    sensors = load_sensors(arguments.sensors)
    skipped = load_readings(arguments.readings, sensors)
    text = "\n\n".join(report(sensor) for sensor in sensors)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
    return 1 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
