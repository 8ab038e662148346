//! Random orders and line items: few customers, orders that several files and customers share, and tables with any of the columns.

use super::{Dice, Table, time};
use crate::model::amounts::units;
use crate::model::orders::line_of;
use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use lensflow::model::AmountFrom;
use lensflow::model::TransactionColumn as Column;
use lensflow::orders::{Anonymous, Duplicates, OrderOptions, Refunds};
use lensflow::time::format_timestamp;
use proptest::prelude::*;
use std::sync::Arc;

/// A line, in cents and hours. What is none is an empty field.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) order: u8,
    pub(crate) customer: Option<u8>,
    pub(crate) hour: Option<u16>,
    pub(crate) quantity: i8,
    /// Thousandths.
    pub(crate) price: Option<u16>,
    /// Cents.
    pub(crate) total: Option<i32>,
    pub(crate) margin: i16,
    pub(crate) product: Option<u8>,
}

pub(crate) fn items() -> impl Strategy<Value = Vec<Item>> {
    let customer = prop_oneof![2 => Just(None), 20 => (0..6u8).prop_map(Some)];
    let hour = prop_oneof![1 => Just(None), 12 => (0..2_000u16).prop_map(Some)];
    let product = prop_oneof![1 => Just(None), 5 => (0..3u8).prop_map(Some)];
    // Whether a line's worth is said as the others of its order say it, not at all, in the other way, or in both.
    let (own, nothing, other, both) = (0..1u8, 1..2u8, 2..3u8, 3..4u8);
    let said = prop_oneof![30 => own, 2 => nothing, 1 => other, 1 => both];
    let quantity = prop_oneof![1 => -3..0i8, 12 => 0..4i8];
    let amounts = (said, 0..900u16, prop_oneof![1 => -300..0i32, 12 => 0..900i32]);
    let item = (0..40u8, customer, hour, quantity, amounts, -99..99i16, product);
    // Most orders are of one customer, and some lines are there twice.
    let item = item.prop_map(|(order, customer, hour, quantity, (said, price, total), margin, product)| {
        let by_total = (order % 4 == 0) != (said == 2);
        let price = (said != 1 && (said == 3 || !by_total)).then_some(price);
        let total = (said != 1 && (said == 3 || by_total)).then_some(total);
        let customer = if order < 37 && customer.is_some() { Some(order % 6) } else { customer };
        Item { order, customer, hour, quantity, price, total, margin, product }
    });
    let item = prop_oneof![6 => item.clone().prop_map(|item| vec![item]), 1 => item.prop_map(|item| vec![item.clone(), item])];
    prop::collection::vec(item, 0..80).prop_map(|items| items.concat())
}

/// The moment that the hours of lines count from; every line is half an hour late.
pub(crate) fn items_begin() -> i64 {
    time("2023-01-01")
}

/// The lines as CSV.
pub(crate) fn items_csv(items: &[Item]) -> String {
    let row = |item: &Item| {
        let customer = item.customer.map_or(String::new(), |id| format!("c{id}"));
        let time = |hour| format_timestamp(items_begin() + (i64::from(hour) * 60 + 30) * 60_000_000);
        let time = item.hour.map_or(String::new(), time);
        let Item { order, quantity, margin, .. } = item;
        let decimal = |number: i32, digits: usize| {
            let (sign, one) = (if number < 0 { "-" } else { "" }, 10i32.pow(digits as u32));
            format!("{sign}{}.{:0digits$}", number.abs() / one, number.abs() % one)
        };
        let product = item.product.map_or(String::new(), |product| format!("p{product}"));
        let price = item.price.map_or(String::new(), |price| decimal(price.into(), 3));
        let (total, margin) = (item.total.map_or(String::new(), |total| decimal(total, 2)), decimal((*margin).into(), 2));
        // A tenth of a cent each, so that rounding an order is not rounding its lines.
        format!("o{order},{customer},{time},{quantity},{price},{total},{margin},{product}\n")
    };
    let head = "order_id,customer_id,event_ts,quantity,unit_price,line_total,unit_margin,product_id\n";
    items.iter().map(row).fold(head.to_owned(), |text, row| text + &row)
}

pub(crate) fn order_options() -> impl Strategy<Value = OrderOptions> {
    let refunds = prop_oneof![Just(Refunds::Fail), Just(Refunds::Net), Just(Refunds::Drop)];
    let anonymous = prop_oneof![Just(Anonymous::Fail), Just(Anonymous::Drop), Just(Anonymous::Report)];
    let duplicates = prop_oneof![Just(Duplicates::Fail), Just(Duplicates::Drop), Just(Duplicates::Keep)];
    (refunds, anonymous, duplicates).prop_map(|(refunds, anonymous, duplicates)| {
        OrderOptions::default().with_refunds(refunds).with_anonymous(anonymous).with_duplicates(duplicates)
    })
}

/// What may say the worth of lines.
pub(crate) fn amounts() -> impl Strategy<Value = AmountFrom> {
    prop_oneof![4 => Just(AmountFrom::Auto), 1 => Just(AmountFrom::Total), 2 => Just(AmountFrom::Order), 1 => Just(AmountFrom::Price)]
}

/// A column's texts.
fn field(column: Column, numeric_ids: bool) -> BoxedStrategy<String> {
    let id = || if numeric_ids { "[1-9][0-9]{0,9}".boxed() } else { "[A-Zé\"; 0-9]{1,15}x".boxed() };
    let number =
        || r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{0,4}[1-9])?".prop_map(|text| if text.starts_with("-0") { text[1..].to_owned() } else { text });
    match column {
        Column::OrderId => id(),
        Column::CustomerId | Column::ProductId => prop_oneof![4 => id(), 1 => Just(String::new())].boxed(),
        Column::EventTs => "202[0-4]-(0[1-9]|1[0-2])-[012][1-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9]".boxed(),
        _ => prop_oneof![3 => number(), 1 => Just(String::new())].boxed(),
    }
}

/// Tables with some of the optional columns, in any order, and one that nobody asked for.
pub(crate) fn line_tables() -> impl Strategy<Value = Table> {
    let optional: Vec<Column> = Column::ALL.into_iter().filter(|c| c.is_optional()).collect();
    let columns = (prop::sample::subsequence(optional, 0..=7), any::<bool>()).prop_flat_map(|(mut columns, numeric)| {
        columns.extend([Column::OrderId, Column::CustomerId, Column::EventTs]);
        (Just(columns).prop_shuffle(), Just(numeric))
    });
    columns.prop_flat_map(|(columns, numeric)| {
        let row: Vec<_> = columns.iter().map(|&column| field(column, numeric)).chain(["note[0-9]".boxed()]).collect();
        let header: Vec<String> = columns.iter().map(|c| c.name().to_owned()).chain(["note".to_owned()]).collect();
        prop::collection::vec(row, 1..30).prop_map(move |rows| Table { header: header.clone(), rows })
    })
}

/// The table in Arrow columns of any types that can hold it.
pub(crate) fn line_batch(table: &Table, dice: &mut Dice) -> RecordBatch {
    let columns = table.header.iter().enumerate().map(|(at, name)| {
        let texts: Vec<Option<&str>> = table.rows.iter().map(|row| Some(row[at].as_str()).filter(|t| !t.is_empty())).collect();
        let text: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let kinds = [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, dictionary];
        let as_text = cast(&text, &kinds[dice.below(4)]).unwrap();
        let number = Column::from_name(name).is_some_and(|c| c.is_optional() && c != Column::ProductId);
        let whole = texts.iter().flatten().all(|t| t.parse::<i64>().is_ok());
        let array: ArrayRef = match dice.below(4) {
            0 => as_text,
            _ if name == "event_ts" => {
                let times = table.rows.iter().map(|row| line_of(&table.header, row).time);
                let unit = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond][dice.below(4)];
                let zone = [None, Some("+02:00".into())][dice.below(2)].clone();
                cast(&TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"), &DataType::Timestamp(unit, zone)).unwrap()
            }
            1 if number => Arc::new(Float64Array::from_iter(texts.iter().map(|t| t.map(|t| t.parse::<f64>().unwrap())))),
            2 if number => {
                let wide = Decimal128Array::from_iter(texts.iter().map(|t| t.map(|t| units(t).unwrap() / 10i128.pow(13))))
                    .with_precision_and_scale(18, 5)
                    .unwrap();
                cast(&wide, &[DataType::Decimal128(38, 7), DataType::Decimal256(50, 5), DataType::Decimal64(18, 5)][dice.below(3)]).unwrap()
            }
            _ if whole => Arc::new(Int64Array::from_iter(texts.iter().map(|t| t.map(|t| t.parse::<i64>().unwrap())))),
            _ => as_text,
        };
        (name.as_str(), array, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
}
