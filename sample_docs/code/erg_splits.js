// Indoor rower: from a total time to the split per 500 m and to watts.
// node erg_splits.js 2000 7:52.4
"use strict";

function parseTime(text) {
  const parts = text.split(":").map(Number);
  if (parts.some(Number.isNaN)) throw new Error(`not a time: ${text}`);
  return parts.reduce((total, part) => total * 60 + part, 0);
}

function formatTime(seconds) {
  const tenths = Math.round(seconds * 10);
  const m = Math.floor(tenths / 600);
  const s = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${m}:${s}`;
}

// Power grows with the cube of the speed; 2.80 is the usual flywheel constant.
function wattsFromSplit(splitSeconds) {
  const pace = splitSeconds / 500;
  return 2.8 / Math.pow(pace, 3);
}

function negativeSplitPlan(metres, seconds, quarters = 4, gain = 0.01) {
  // every quarter one percent faster than the one before, same total
  const weights = Array.from({ length: quarters }, (_, i) => 1 - gain * i);
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => ({ metres: metres / quarters, seconds: (seconds * w) / sum }));
}

if (require.main === module) {
  const [metres, time] = [Number(process.argv[2]), process.argv[3]];
  if (!metres || !time) {
    console.error("usage: node erg_splits.js METRES M:SS.T");
    process.exit(2);
  }
  const seconds = parseTime(time);
  const split = (seconds / metres) * 500;
  console.log(`split ${formatTime(split)} /500 m, ${wattsFromSplit(split).toFixed(0)} W`);
  negativeSplitPlan(metres, seconds).forEach((q, i) => {
    console.log(`  ${i + 1}. ${q.metres} m in ${formatTime(q.seconds)}`);
  });
}

module.exports = { parseTime, formatTime, wattsFromSplit, negativeSplitPlan };
