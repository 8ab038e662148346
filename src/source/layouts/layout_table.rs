//! The layouts that are known, a row each, with where it is described.

use super::Layout;
use crate::model::line_columns::TransactionColumn::{CustomerId, EventTs, LineTotal, OrderId, ProductId, Quantity, UnitPrice};

/// Statuses of WooCommerce that are no sales: its own analytics leave out pending, failed and cancelled orders, and take refunds off.
const WOOCOMMERCE_NO_SALES: &[&str] = &[
    "pending",
    "pending payment",
    "failed",
    "cancelled",
    "refunded",
    "draft",
    "checkout-draft",
    "trash",
    "wc-pending",
    "wc-failed",
    "wc-cancelled",
    "wc-refunded",
    "wc-checkout-draft",
];

/// All rows. Kinds of export of one shop stand beside each other.
pub const LAYOUTS: &[Layout] = &[
    // Online Retail (2010-12 to 2011-12) and Online Retail II (2009-12 to 2011-12), UCI Machine Learning Repository, data sets 352 and 502.
    Layout {
        name: "uci-online-retail",
        signature: &["InvoiceNo|Invoice", "StockCode", "Quantity", "InvoiceDate", "UnitPrice|Price", "CustomerID|Customer ID"],
        columns: &[
            (OrderId, "InvoiceNo|Invoice"),
            (CustomerId, "CustomerID|Customer ID"),
            (EventTs, "InvoiceDate"),
            (Quantity, "Quantity"),
            (UnitPrice, "UnitPrice|Price"),
            (ProductId, "StockCode"),
        ],
        options: &[("source.date_format", &["%m/%d/%Y %H:%M"]), ("source.id_format", &["integer"])],
        filters: &[],
        remark: "",
    },
    // Shopify Help Center, "Exporting orders": a row for each item, the order's own fields on its first row alone.
    Layout {
        name: "shopify",
        signature: &["Name", "Email", "Financial Status", "Total", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price"],
        columns: &[
            (OrderId, "Name"),
            (CustomerId, "Email"),
            (EventTs, "Created at"),
            (LineTotal, "Total"),
            (Quantity, "Lineitem quantity"),
            (ProductId, "Lineitem name"),
        ],
        options: &[("source.date_format", &["%Y-%m-%d %H:%M:%S %z"]), ("transactions.amount", &["total"])],
        // The further rows of an order have no Total, and no status either.
        filters: &[("Total", "source.except", &[""]), ("Financial Status", "source.except", &["voided", "refunded", "expired"])],
        remark: "each order counts with its Total; what was refunded of an order that counts is not taken off",
    },
    // WooCommerce Analytics, the download of its orders report (woocommerce.com/document/woocommerce-analytics): a row for each order.
    Layout {
        name: "woocommerce",
        signature: &["Date", "Order #", "Status", "Customer", "Items sold", "N. Revenue|Net Sales|Net Revenue"],
        columns: &[(OrderId, "Order #"), (CustomerId, "Customer"), (EventTs, "Date"), (LineTotal, "N. Revenue|Net Sales|Net Revenue")],
        options: &[],
        filters: &[("Status", "source.except", WOOCOMMERCE_NO_SALES)],
        remark: "customers are told by their names, which this report has instead of ids",
    },
    // Customer/Order/Coupon Export of WooCommerce (woocommerce.com/document/ordercustomer-csv-export), a row for each order.
    Layout {
        name: "woocommerce",
        signature: &[
            "order_id|order_number",
            "date|order_date|date_created",
            "status|order_status",
            "billing_email|customer_email",
            "order_total|total",
        ],
        columns: &[
            (OrderId, "order_id|order_number"),
            (CustomerId, "billing_email|customer_email"),
            (EventTs, "date|order_date|date_created"),
            (LineTotal, "order_total|total"),
        ],
        options: &[("transactions.amount", &["order"])],
        filters: &[("status|order_status", "source.except", WOOCOMMERCE_NO_SALES)],
        remark: "each order counts with its total, once if it stands on several rows",
    },
    // The same, a row for each item.
    Layout {
        name: "woocommerce",
        signature: &[
            "order_id|order_number",
            "date|order_date|date_created",
            "status|order_status",
            "billing_email|customer_email",
            "item_name",
            "item_quantity",
            "item_total",
        ],
        columns: &[
            (OrderId, "order_id|order_number"),
            (CustomerId, "billing_email|customer_email"),
            (EventTs, "date|order_date|date_created"),
            (LineTotal, "item_total"),
            (Quantity, "item_quantity"),
            (ProductId, "item_id|item_sku|item_name"),
        ],
        options: &[],
        filters: &[("status|order_status", "source.except", WOOCOMMERCE_NO_SALES)],
        remark: "orders are worth their items, without shipping and taxes",
    },
    // Advanced Order Export For WooCommerce (wordpress.org/plugins/woo-order-export-lite): a row for each item, order fields on every row.
    Layout {
        name: "woocommerce",
        signature: &[
            "Order Number|Order ID",
            "Order Status",
            "Order Date",
            "Email (Billing)|Customer email|Billing email",
            "Quantity",
            "Item Cost",
        ],
        columns: &[
            (OrderId, "Order Number|Order ID"),
            (CustomerId, "Email (Billing)|Customer email|Billing email"),
            (EventTs, "Order Date"),
            (Quantity, "Quantity"),
            (UnitPrice, "Item Cost"),
            (ProductId, "Item #+SKU|Item #+Item Name|SKU|Item Name"),
        ],
        options: &[],
        filters: &[("Order Status", "source.except", WOOCOMMERCE_NO_SALES)],
        remark: "orders are worth their items, without shipping and discounts",
    },
    // The same, a row for each order.
    Layout {
        name: "woocommerce",
        signature: &[
            "Order Number|Order ID",
            "Order Status",
            "Order Date",
            "Email (Billing)|Customer email|Billing email",
            "Order Total Amount|Order Total",
        ],
        columns: &[
            (OrderId, "Order Number|Order ID"),
            (CustomerId, "Email (Billing)|Customer email|Billing email"),
            (EventTs, "Order Date"),
            (LineTotal, "Order Total Amount|Order Total"),
        ],
        options: &[("transactions.amount", &["order"])],
        filters: &[("Order Status", "source.except", WOOCOMMERCE_NO_SALES)],
        remark: "each order counts with its total, once if it stands on several rows",
    },
    // Amazon Selling Partner API, "Order reports": GET_FLAT_FILE_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL and its kin. `item-price` is that of
    // the whole line.
    Layout {
        name: "amazon",
        signature: &["amazon-order-id", "purchase-date", "sku", "item-price", "quantity|quantity-purchased|quantity-shipped"],
        columns: &[
            (OrderId, "amazon-order-id"),
            (CustomerId, "buyer-email|buyer-id|buyer-identification-number|buyer-name"),
            (EventTs, "purchase-date"),
            (LineTotal, "item-price"),
            (Quantity, "quantity|quantity-purchased|quantity-shipped"),
            (ProductId, "order-item-id|amazon-order-item-id|sku"),
        ],
        options: &[("source.quote", &["none"])],
        filters: &[("order-status", "source.except", &["Cancelled", "Canceled", "Pending"])],
        remark: "orders are worth their items, without shipping and taxes",
    },
    // Square Dashboard, "Item sales" export, a row for each item.
    Layout {
        name: "square",
        signature: &["Date", "Time", "Time Zone", "Item", "Qty", "Gross Sales", "Net Sales", "Transaction ID", "Customer ID"],
        columns: &[
            (OrderId, "Transaction ID"),
            (CustomerId, "Customer ID"),
            (EventTs, "Date+Time"),
            (LineTotal, "Net Sales"),
            (Quantity, "Qty"),
            (ProductId, "Item+Price Point Name+Modifiers Applied|Item"),
        ],
        options: &[
            ("source.date_format", &["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M:%S"]),
            ("source.number_format", &["1,234.56"]),
        ],
        filters: &[],
        remark: "orders are worth their net sales, without taxes and tips",
    },
    // Square Dashboard, "Transactions" export, a row for each payment.
    Layout {
        name: "square",
        signature: &["Date", "Time", "Time Zone", "Gross Sales", "Net Sales", "Transaction ID", "Customer ID"],
        columns: &[(OrderId, "Transaction ID"), (CustomerId, "Customer ID"), (EventTs, "Date+Time"), (LineTotal, "Net Sales")],
        options: &[
            ("source.date_format", &["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M:%S"]),
            ("source.number_format", &["1,234.56"]),
        ],
        filters: &[],
        remark: "orders are worth their net sales, without taxes and tips",
    },
    // Brazilian E-Commerce Public Dataset by Olist (kaggle.com/datasets/olistbr/brazilian-ecommerce), orders joined with items and customers.
    Layout {
        name: "olist",
        signature: &["order_id", "order_status", "order_purchase_timestamp", "customer_unique_id|customer_id", "price"],
        columns: &[
            (OrderId, "order_id"),
            (CustomerId, "customer_unique_id|customer_id"),
            (EventTs, "order_purchase_timestamp"),
            (LineTotal, "price"),
            (ProductId, "product_id+order_item_id|product_id"),
        ],
        options: &[],
        filters: &[("order_status", "source.except", &["canceled", "unavailable"])],
        remark: "orders are worth their items, without freight; where customers were not joined, \
                 customer_id is another one for each order",
    },
    // H&M Personalized Fashion Recommendations (Kaggle), transactions_train.csv: a row for each item, and equal rows are several of it.
    Layout {
        name: "h-and-m",
        signature: &["t_dat", "customer_id", "article_id", "price", "sales_channel_id"],
        columns: &[
            (OrderId, "customer_id+day"),
            (CustomerId, "customer_id"),
            (EventTs, "t_dat"),
            (LineTotal, "price"),
            (ProductId, "article_id"),
        ],
        options: &[("transactions.duplicates", &["keep"])],
        filters: &[],
        remark: "what a customer buys on one day is an order; equal rows are several of one article",
    },
    // Google Merchandise Store, BigQuery export of Google Analytics 4 (support.google.com/analytics/answer/7029846): an event a row.
    Layout {
        name: "google-merchandise",
        signature: &[
            "event_name",
            "event_timestamp",
            "user_pseudo_id",
            "ecommerce.transaction_id|transaction_id",
            "ecommerce.purchase_revenue|purchase_revenue",
        ],
        columns: &[
            (OrderId, "ecommerce.transaction_id|transaction_id"),
            (CustomerId, "user_pseudo_id"),
            (EventTs, "event_timestamp"),
            (LineTotal, "ecommerce.purchase_revenue|purchase_revenue"),
        ],
        options: &[("source.date_format", &["epoch-us"])],
        filters: &[
            ("event_name", "source.only", &["purchase"]),
            ("ecommerce.transaction_id|transaction_id", "source.except", &["(not set)"]),
        ],
        remark: "",
    },
    // Google Merchandise Store, BigQuery export of Universal Analytics (support.google.com/analytics/answer/3437719), made flat: revenue is
    // in millionths.
    Layout {
        name: "google-merchandise",
        signature: &[
            "fullVisitorId",
            "date",
            "transactionId|hits.transaction.transactionId|hits_transaction_transactionId",
            "transactionRevenue|hits.transaction.transactionRevenue|totals.transactionRevenue|totals_transactionRevenue",
        ],
        columns: &[
            (OrderId, "transactionId|hits.transaction.transactionId|hits_transaction_transactionId"),
            (CustomerId, "fullVisitorId"),
            (EventTs, "date"),
            (LineTotal, "transactionRevenue|hits.transaction.transactionRevenue|totals.transactionRevenue|totals_transactionRevenue"),
        ],
        options: &[("source.date_format", &["%Y%m%d"]), ("source.amount_unit", &["millionths"])],
        filters: &[("transactionId|hits.transaction.transactionId|hits_transaction_transactionId", "source.except", &[""])],
        remark: "",
    },
];
