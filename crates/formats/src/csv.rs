//! CSV: the fields of a row become a record by the names of the columns.

use std::io::Read;
use std::marker::PhantomData;

use csv::{ByteRecord, ErrorKind, ReaderBuilder, Terminator, WriterBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_core::format::{DecodeError, Decoder, EncodeError, Encoder, Payload, compression};

mod fit;

/// Rows are mostly shorter; a longer one takes more.
const ROW_BYTES: usize = 256;

/// Put behind a payload, it is a row of its own, unless the payload ends within quotes.
const BEHIND: &[u8] = b"\n.";

/// The names of columns, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvColumns(ByteRecord);

impl CsvColumns {
    /// Columns with these names.
    pub fn new<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Self {
        CsvColumns(names.into_iter().collect())
    }

    /// The columns that a header names.
    pub fn of_header(fields: &ByteRecord) -> Self {
        CsvColumns(fields.clone())
    }

    /// Whether rows of these columns can be records of type `T`, as far as that can be known before the first one.
    ///
    /// ```
    /// use steadfast_formats::CsvColumns;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Payment {
    ///     account: String,
    ///     cents: i64,
    ///     note: Option<String>,
    /// }
    ///
    /// assert!(CsvColumns::new(["cents", "account"]).check::<Payment>().is_ok());
    /// let error = CsvColumns::new(["Account", "cents"]).check::<Payment>().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "there is no column 'account', but 'Account'; the columns are 'Account', 'cents'"
    /// );
    /// ```
    ///
    /// # Errors
    /// If `T` needs a field and no column is called so, or one that may be missing is called nearly so: with the
    /// names of both.
    pub fn check<T: DeserializeOwned>(&self) -> Result<(), DecodeError> {
        let columns: Vec<_> =
            self.0.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let fit::Misfit { missing, nearly } = fit::misfit::<T>(&columns);
        if missing.is_empty() && nearly.is_empty() {
            return Ok(());
        }
        if let Some(what) = compression(self.0.get(0).unwrap_or_default()) {
            return Err(DecodeError::new(what));
        }
        let near = |field: &&'static str| {
            let mut same = columns.iter().filter(|column| fit::bare(column) == fit::bare(field));
            same.next().cloned()
        };
        let missing = missing.iter().map(|field| (*field, near(field)));
        let nearly = nearly.into_iter().map(|(field, column)| (field, Some(column)));
        let told = missing.chain(nearly).map(|(field, near)| match near {
            Some(near) => format!("there is no column '{field}', but '{near}'"),
            None => format!("there is no column '{field}'"),
        });
        let mut told = told.collect::<Vec<_>>().join(", ");
        let quoted: Vec<_> = columns.iter().map(|column| format!("'{column}'")).collect();
        told += &format!("; the columns are {}", quoted.join(", "));
        if let [one] = &columns[..]
            && let Some(delimiter) = one.chars().find(|c| matches!(c, ',' | ';' | '\t' | '|'))
        {
            told += &format!(": is {delimiter:?} what stands between them? delimiter() says so");
        }
        Err(DecodeError::new(told))
    }

    /// The record in the fields of a row.
    ///
    /// # Errors
    /// If there are more or fewer fields than columns, or one does not fit the field of `T`, which is named.
    #[inline]
    pub fn decode<T: DeserializeOwned>(&self, fields: &ByteRecord) -> Result<T, DecodeError> {
        if fields.len() != self.0.len() {
            let (row, columns) = (fields.len(), self.0.len());
            let reason = format!("fields in the row: {row}, columns: {columns}");
            return Err(DecodeError::new(reason));
        }
        fields.deserialize(Some(&self.0)).map_err(|error| self.reason(&error))
    }

    #[cold]
    fn reason(&self, error: &csv::Error) -> DecodeError {
        let ErrorKind::Deserialize { err, .. } = error.kind() else {
            return DecodeError::new(error.to_string());
        };
        let name = err.field().and_then(|at| self.0.get(at as usize));
        let name = name.map(|name| format!("field '{}': ", String::from_utf8_lossy(name)));
        DecodeError::new(format!("{}{}", name.unwrap_or_default(), err.kind()))
    }
}

/// A payload is one row, without a header: the columns are named here.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use steadfast_core::format::{Decoder, Encoder, Payload};
/// use steadfast_formats::CsvRow;
///
/// #[derive(Serialize, Deserialize)]
/// struct Payment {
///     account: String,
///     cents: i64,
/// }
///
/// let mut payments = CsvRow::<Payment>::new(["account", "cents"]).delimiter(b';');
/// let payment = payments.decode(Payload::Text("\"a;b\";17")).unwrap();
/// let mut payload = Vec::new();
/// payments.encode(&payment, &mut payload).unwrap();
/// assert_eq!(payload, b"\"a;b\";17");
///
/// let error = payments.decode(Payload::Text("a;many")).err().unwrap();
/// assert_eq!(error.to_string(), "field 'cents': invalid digit found in string");
/// ```
pub struct CsvRow<T> {
    columns: CsvColumns,
    delimiter: u8,
    fields: ByteRecord,
    /// Whether the fields of a record have been compared with the columns.
    is_checked: bool,
    records: PhantomData<fn() -> T>,
}

impl<T> CsvRow<T> {
    /// Rows of these columns, with commas between the fields.
    pub fn new<N: AsRef<[u8]>>(columns: impl IntoIterator<Item = N>) -> Self {
        let (columns, fields) = (CsvColumns::new(columns), ByteRecord::new());
        CsvRow { columns, delimiter: b',', fields, is_checked: false, records: PhantomData }
    }

    /// What stands between fields.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }
}

impl<T> Clone for CsvRow<T> {
    fn clone(&self) -> Self {
        let (columns, delimiter) = (self.columns.clone(), self.delimiter);
        CsvRow {
            columns,
            delimiter,
            fields: ByteRecord::new(),
            is_checked: false,
            records: PhantomData,
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> Decoder for CsvRow<T> {
    type Record = T;

    fn decode(&mut self, payload: Payload<'_>) -> Result<T, DecodeError> {
        let bytes = payload.bytes();
        let mut rows = ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(bytes.len().clamp(1, ROW_BYTES))
            .from_reader(bytes.chain(BEHIND));
        let mut read = |fields: &mut ByteRecord| {
            rows.read_byte_record(fields).map_err(|error| DecodeError::new(error.to_string()))
        };
        read(&mut self.fields)?;
        let mut behind = ByteRecord::new();
        let is_closed = read(&mut behind)?;
        if read(&mut ByteRecord::new())? {
            return Err(DecodeError::new("there is more than one row"));
        }
        if !is_closed {
            let is_empty = self.fields.iter().eq([&BEHIND[1..]]);
            let what = if is_empty { "there is no row" } else { "a quote is never closed" };
            return Err(DecodeError::new(what));
        }
        self.columns.decode(&self.fields)
    }
}

impl<T: Serialize + Send + 'static> Encoder for CsvRow<T> {
    type Record = T;

    fn encode(&mut self, record: &T, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
        let wrong = |error: csv::Error| EncodeError::new(error.to_string());
        let row = |with_header: bool| {
            let mut rows = WriterBuilder::new()
                .delimiter(self.delimiter)
                .has_headers(with_header)
                .terminator(Terminator::Any(b'\n'))
                .buffer_capacity(ROW_BYTES)
                .from_writer(Vec::new());
            rows.serialize(record).map_err(wrong)?;
            rows.into_inner().map_err(|error| EncodeError::new(error.to_string()))
        };
        if !self.is_checked {
            self.check(&row(true)?, &row(false)?)?;
            self.is_checked = true;
        }
        let bytes = row(false)?;
        payload.extend_from_slice(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        Ok(())
    }
}

impl<T> CsvRow<T> {
    /// Refuses records with other fields than the columns, or in another order.
    fn check(&self, with_header: &[u8], without: &[u8]) -> Result<(), EncodeError> {
        let first = |bytes: &[u8]| {
            let mut rows = ReaderBuilder::new();
            let rows = rows.delimiter(self.delimiter).has_headers(false).flexible(true);
            rows.from_reader(bytes).into_byte_records().next()
        };
        let (Some(Ok(header)), Some(Ok(row))) = (first(with_header), first(without)) else {
            return Err(EncodeError::new("the record has no fields"));
        };
        // What has no names has no header.
        let is_named = with_header != without;
        if row.len() != self.columns.0.len() || (is_named && header != self.columns.0) {
            let list = |names: &ByteRecord| {
                names
                    .iter()
                    .map(|name| String::from_utf8_lossy(name).into_owned())
                    .collect::<Vec<_>>()
            };
            let (fields, columns) = (list(&header), list(&self.columns.0));
            return Err(EncodeError::new(format!(
                "the fields of the record are {fields:?}, the columns {columns:?}"
            )));
        }
        Ok(())
    }
}
