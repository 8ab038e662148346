//! The signs and codes of currencies, as they stand beside amounts.

/// Signs and the words of shops, longest first where one begins with another; and what messages call the currency.
const SIGNS: [(&str, &str); 52] = [
    ("US$", "USD"),
    ("CA$", "CAD"),
    ("AU$", "AUD"),
    ("NZ$", "NZD"),
    ("HK$", "HKD"),
    ("NT$", "TWD"),
    ("MX$", "MXN"),
    ("R$", "BRL"),
    ("A$", "AUD"),
    ("C$", "CAD"),
    ("S$", "SGD"),
    ("$", "$"),
    ("€", "EUR"),
    ("£", "£"),
    ("¥", "¥"),
    ("₹", "INR"),
    ("₽", "RUB"),
    ("₺", "TRY"),
    ("₩", "KRW"),
    ("₪", "ILS"),
    ("₫", "VND"),
    ("₴", "UAH"),
    ("₦", "NGN"),
    ("₱", "PHP"),
    ("฿", "THB"),
    ("₡", "CRC"),
    ("₲", "PYG"),
    ("₵", "GHS"),
    ("₸", "KZT"),
    ("₼", "AZN"),
    ("₾", "GEL"),
    ("kr.", "kr"),
    ("kr", "kr"),
    ("Kr.", "kr"),
    ("Kr", "kr"),
    ("Kč", "CZK"),
    ("zł", "PLN"),
    ("Ft", "HUF"),
    ("lei", "RON"),
    ("Lei", "RON"),
    ("лв.", "BGN"),
    ("лв", "BGN"),
    ("руб.", "RUB"),
    ("руб", "RUB"),
    ("грн.", "UAH"),
    ("грн", "UAH"),
    ("SFr.", "CHF"),
    ("Fr.", "CHF"),
    ("Rs.", "Rs"),
    ("Rs", "Rs"),
    ("RM", "MYR"),
    ("元", "CNY"),
];

/// Codes of ISO 4217 that shops use.
const CODES: [&str; 66] = [
    "USD", "EUR", "GBP", "JPY", "CNY", "RMB", "INR", "AUD", "CAD", "NZD", "CHF", "SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "RON",
    "BGN", "HRK", "RSD", "UAH", "RUB", "TRY", "ILS", "AED", "SAR", "QAR", "KWD", "BHD", "OMR", "JOD", "EGP", "MAD", "TND", "ZAR", "NGN",
    "KES", "GHS", "BRL", "MXN", "ARS", "CLP", "COP", "PEN", "UYU", "CRC", "DOP", "HKD", "SGD", "TWD", "KRW", "THB", "MYR", "IDR", "PHP",
    "VND", "PKR", "BDT", "LKR", "KZT", "GEL", "AZN", "AMD", "BYN",
];

/// A text without the currency that it begins or ends with, and that currency's name.
pub(super) fn without_currency(text: &str) -> Option<(&str, &'static str)> {
    let codes = CODES.iter().map(|&code| (code, code));
    SIGNS.into_iter().chain(codes).find_map(|(sign, name)| {
        let rest = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign))?;
        Some((rest, name))
    })
}
