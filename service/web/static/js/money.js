// Money, exact: amounts are BigInt in 10⁻¹² USD, as fine as the service's decimal strings. No floats.

const FINEST = 12;
const DOLLAR = 10n ** 12n;
const CENT = DOLLAR / 100n;

/** Return an amount of a decimal string of the service ("3.12487"); null stays null. */
export function amount(text) {
  if (text === null || text === undefined) return null;
  const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(text)) ?? [];
  if (whole === undefined || part.length > FINEST) throw new RangeError(`no amount: ${text}`);
  const value = BigInt(whole + part.padEnd(FINEST, "0"));
  return sign ? -value : value;
}

/** Return what tokens cost at a price in USD for a million of them (a decimal string). */
export function priceOf(tokens, usdPerMillion) {
  return (BigInt(tokens) * amount(usdPerMillion)) / 1_000_000n;
}

/**
 * Return an amount as "$3.13"; "—" of null. The service rounds the same way where it says an amount in a sentence: never less
 * than it is, to the cent from a dollar up, to the hundredth of a cent below.
 */
export function dollars(value) {
  if (value === null || value === undefined) return "—";
  const size = value < 0n ? -value : value;
  return `${value < 0n ? "−" : ""}$${roundedUp(size, size === 0n || size >= DOLLAR ? 2 : 4)}`;
}

/** Return the amount that `dollars` shows, so that a sum of shown amounts is the sum that is shown. */
export function asShown(value) {
  const unit = value >= DOLLAR ? CENT : CENT / 100n;
  return ((value + unit - 1n) / unit) * unit;
}

/** Return an amount of a decimal string as `dollars` shows it. */
export const shown = (text) => dollars(amount(text));

/** Return what an answer cost; what is only known not to be more is said to be so. */
export const paid = ({ actual_usd: usd, actual_is: how }) => `${how === "at_most" ? "at most " : ""}${shown(usd)}`;

/** Return a round amount for the scale of a drawing: "$0.25", "$1.50". */
export const onScale = (usd) => `$${usd >= 1 || usd === 0 ? usd.toFixed(2) : String(Number(usd.toPrecision(3))).padEnd(4, "0")}`;

/** Return every digit of an amount, at least cents: for what binds. */
export function exact(value) {
  if (value === null || value === undefined) return "—";
  const size = value < 0n ? -value : value;
  const digits = size.toString().padStart(FINEST + 1, "0");
  const part = digits.slice(-FINEST).replace(/0+$/, "").padEnd(2, "0");
  return `${value < 0n ? "−" : ""}$${grouped(digits.slice(0, -FINEST))}.${part}`;
}

/** Return an amount as a number, for drawing alone. */
export const drawn = (value) => Number(value) / 1e12;

function roundedUp(size, digits) {
  const unit = 10n ** BigInt(FINEST - digits);
  const text = ((size + unit - 1n) / unit).toString().padStart(digits + 1, "0");
  return `${grouped(text.slice(0, -digits))}.${text.slice(-digits)}`;
}

const grouped = (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ",");
