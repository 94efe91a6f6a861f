"""Traffic light for rowers from distance readings (see README.md)."""
import argparse
import csv
from collections import deque
from datetime import datetime
from statistics import median

ORDER = {"green": 0, "yellow": 1, "red": 2}


def read_config(path):
    """The flat 'key: number' lines are all we need, so no YAML library."""
    config = {}
    with open(path, encoding="utf-8") as handle:
        for line in handle:
            key, _, value = line.partition(":")
            try:
                config[key.strip()] = float(value)
            except ValueError:
                continue
    return config


def light_for(level, rise_per_hour, previous, cfg):
    slack = cfg["hysteresis_m"]
    red = cfg["red_m"] - (slack if previous == "red" else 0)
    yellow = cfg["yellow_m"] - (slack if ORDER[previous] >= 1 else 0)
    if level > red or rise_per_hour > cfg["max_rise_m_per_hour"]:
        return "red"
    return "yellow" if level >= yellow else "green"


def levels(rows, cfg):
    window = deque(maxlen=int(cfg["median_window"]))
    for stamp, distance in rows:
        when, distance = datetime.fromisoformat(stamp), float(distance)
        if when.year < 2024 or distance < cfg["discard_below_distance_m"]:
            continue  # frozen clock, or a spider
        window.append(cfg["sensor_height_m"] - distance)
        yield when, median(window)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("readings")
    ap.add_argument("--config", default="config.yaml")
    ap.add_argument("--all", action="store_true")
    args = ap.parse_args()
    cfg = read_config(args.config)
    light, history = "green", deque()
    with open(args.readings, newline="", encoding="utf-8") as handle:
        for when, level in levels(csv.reader(handle), cfg):
            history.append((when, level))
            while (when - history[0][0]).total_seconds() > 3600:
                history.popleft()
            new = light_for(level, level - history[0][1], light, cfg)
            if args.all or new != light:
                print(f"{when:%d.%m. %H:%M}  {level:.2f} m  {new}")
            light = new


if __name__ == "__main__":
    main()
