"""Sensors and what they have measured."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Reading:
    sensor_id: str
    taken_at: datetime
    value: float


@dataclass
class Sensor:
    sensor_id: str
    location: str
    unit: str = "°C"
    readings: list[Reading] = field(default_factory=list)

    def record(self, value: float, taken_at: datetime | None = None) -> Reading:
        reading = Reading(self.sensor_id, taken_at or datetime.now(), value)
        self.readings.append(reading)
        return reading

    def latest(self) -> Reading | None:
        return self.readings[-1] if self.readings else None


class SensorNotFound(KeyError):
    """No sensor has this name."""


def find_sensor(sensors: list[Sensor], sensor_id: str) -> Sensor:
    for sensor in sensors:
        if sensor.sensor_id == sensor_id:
            return sensor
    raise SensorNotFound(sensor_id)
