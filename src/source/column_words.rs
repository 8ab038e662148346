//! What the words of a column's name say that it holds, in the languages of most shops, and what it does not: a tax is no amount of a line,
//! a manager no customer. Guesses and advice about columns go by it.

use crate::base::text::words;
use crate::source::layouts::plain;

const WORDS_OF_QUANTITIES: [&str; 13] =
    ["qty", "quantity", "menge", "anzahl", "units", "items", "pieces", "pcs", "stück", "stueck", "count", "quantité", "cantidad"];
/// Words of taxes, which a name may mention beside what it is of: `Order Total (inc tax)`.
const TAXES: [&str; 7] = ["tax", "taxes", "vat", "gst", "mwst", "ust", "steuer"];
const BESIDE_TAXES: [&str; 10] = ["inc", "incl", "including", "inkl", "ex", "excl", "excluding", "exkl", "with", "without"];
const NOT_AMOUNTS: [&str; 43] = [
    "shipping",
    "versand",
    "freight",
    "porto",
    "discount",
    "discounts",
    "rabatt",
    "commission",
    "fee",
    "fees",
    "tip",
    "tips",
    "cost",
    "costs",
    "kosten",
    "refund",
    "refunds",
    "refunded",
    "weight",
    "rate",
    "percent",
    "points",
    "duty",
    "duties",
    "balance",
    "credit",
    "margin",
    "profit",
    "id",
    "no",
    "number",
    "nr",
    "count",
    "date",
    "type",
    "status",
    "name",
    "currency",
    "quantity",
    "qty",
    "items",
    "units",
    "orders",
];
const NOT_QUANTITIES: [&str; 18] = [
    "discount",
    "discounts",
    "account",
    "amount",
    "price",
    "cost",
    "refunded",
    "returned",
    "returns",
    "cancelled",
    "available",
    "stock",
    "weight",
    "type",
    "name",
    "status",
    "date",
    "per",
];
const NOT_CUSTOMERS: [&str; 34] = [
    "manager",
    "store",
    "shop",
    "branch",
    "type",
    "group",
    "segment",
    "country",
    "city",
    "state",
    "zip",
    "region",
    "class",
    "name",
    "status",
    "count",
    "since",
    "date",
    "phone",
    "note",
    "notes",
    "tags",
    "category",
    "owner",
    "agent",
    "rep",
    "service",
    "support",
    "reference",
    "gender",
    "age",
    "orders",
    "spent",
    "marketing",
];
const NOT_ORDERS: [&str; 30] = [
    "orders", "count", "total", "totals", "amount", "value", "status", "state", "date", "time", "type", "source", "channel", "notes",
    "currency", "items", "quantity", "discount", "shipping", "tax", "first", "last", "average", "avg", "customer", "email", "by",
    "priority", "weight", "dow",
];
/// Words of other ids than those of orders, which a name may mention beside an order: `Store Order ID`.
const OTHER_IDS: [&str; 9] = ["store", "shop", "branch", "product", "item", "article", "user", "member", "household"];
/// Words of orders.
pub(crate) const ORDERS: [&str; 11] =
    ["order", "invoice", "receipt", "transaction", "basket", "ticket", "bestellung", "rechnung", "auftrag", "beleg", "bon"];
const NOT_TIMES: [&str; 24] = [
    "since",
    "birth",
    "birthday",
    "dob",
    "expires",
    "expiry",
    "expiration",
    "updated",
    "modified",
    "registered",
    "registration",
    "joined",
    "signup",
    "delivery",
    "delivered",
    "ship",
    "shipped",
    "shipping",
    "dispatch",
    "due",
    "vat",
    "tax",
    "rate",
    "set",
];

/// Whether the words of a name say that a column is of another kind than one of ours, whatever else they say.
pub(crate) fn is_of_something_else(column: &str, name: &str) -> bool {
    let words = words(name);
    let says = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    match column {
        "line_total" | "unit_price" | "total_spend" => says(&NOT_AMOUNTS) || says(&TAXES) && !says(&BESIDE_TAXES),
        "quantity" => says(&NOT_QUANTITIES) || says(&TAXES),
        "customer_id" => says(&NOT_CUSTOMERS),
        "order_id" => says(&NOT_ORDERS) || says(&OTHER_IDS) && !says(&ORDERS),
        "event_ts" => says(&NOT_TIMES),
        _ => false,
    }
}

/// Whether a name is one of columns of products.
pub(crate) fn is_like_product(name: &str) -> bool {
    const PRODUCTS: [&str; 16] = [
        "productid",
        "sku",
        "stockcode",
        "articleid",
        "articleno",
        "itemid",
        "itemno",
        "asin",
        "ean",
        "product",
        "article",
        "productname",
        "itemname",
        "artikelnummer",
        "artikelnr",
        "artikel",
    ];
    PRODUCTS.contains(&plain(name).as_str())
}

/// Whether the words of a name say that it is a quantity.
pub(crate) fn is_like_quantity(name: &str) -> bool {
    words(name).iter().any(|word| WORDS_OF_QUANTITIES.contains(&word.as_str()))
}

/// Whether the words of a name say that a column counts cents.
pub(crate) fn is_in_cents(name: &str) -> bool {
    words(name).iter().any(|word| ["cents", "cent", "minor", "centimes", "pence"].contains(&word.as_str()))
}

/// Words of columns of discounts and of what was given back.
const WORDS_OF_DISCOUNTS: [&str; 9] =
    ["discount", "discounts", "rabatt", "remise", "descuento", "desconto", "sconto", "refunded", "korting"];

/// Whether the words of a name say that it takes something off an amount.
pub(crate) fn is_like_discount(name: &str) -> bool {
    let words = words(name);
    let is_about = words.iter().any(|word| ["code", "name", "type", "reason", "id", "title"].contains(&word.as_str()));
    !is_about && words.iter().any(|word| WORDS_OF_DISCOUNTS.contains(&word.as_str()))
}
