// Money, exact: amounts are BigInt in 10⁻¹² USD, as fine as the service's decimal strings. No floats.

const FINEST = 12;
const CENT = 10n ** 10n;

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

/** Return an amount as "$3.12"; below ten cents with as many digits as tell it apart from nothing; "—" of null. */
export function dollars(value) {
  if (value === null || value === undefined) return "—";
  const size = value < 0n ? -value : value;
  const digits = size === 0n || size >= 10n * CENT ? 2 : size >= CENT / 10n ? 3 : 4;
  return `${value < 0n ? "−" : ""}$${rounded(size, digits)}`;
}

/** Return an amount of a decimal string as `dollars` shows it. */
export const shown = (text) => dollars(amount(text));

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

function rounded(size, digits) {
  const unit = 10n ** BigInt(FINEST - digits);
  const text = ((size + unit / 2n) / unit).toString().padStart(digits + 1, "0");
  if (size > 0n && /^0+$/.test(text)) return `0.${"0".repeat(digits - 1)}1`;
  return `${grouped(text.slice(0, -digits))}.${text.slice(-digits)}`;
}

const grouped = (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ",");
