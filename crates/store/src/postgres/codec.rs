//! Values on PostgreSQL's wire. Strict on purpose: the server states the type of each parameter and column, and any that is not one
//! of ours is an error, so that nobody brings in numeric or timestamptz unnoticed.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use tokio_postgres::Row as PgRow;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use crate::error::{Error, Result};
use crate::row::Row;
use crate::value::Value;

type Refusal = Box<dyn StdError + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Refusal> {
        match (self, ty) {
            (Self::Null, _) => return Ok(IsNull::Yes),
            (Self::Int(v), &Type::INT8) => out.put_i64(*v),
            (Self::Int(v), &Type::INT4) => out.put_i32(i32::try_from(*v)?),
            (Self::Text(v), &Type::TEXT | &Type::VARCHAR) => out.put_slice(v.as_bytes()),
            (Self::Blob(v), &Type::BYTEA) => out.put_slice(v),
            _ => return Err(format!("{self:?} does not go into a parameter of type {ty}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Refusal> {
        self.to_sql(ty, out)
    }
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Refusal> {
        Ok(match *ty {
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::TEXT | Type::VARCHAR => Self::Text(String::from_sql(ty, raw)?),
            Type::BYTEA => Self::Blob(raw.to_vec()),
            _ => return Err(format!("a column of type {ty} is not one of ours").into()),
        })
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Refusal> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cfg(feature = "test-util")]
pub(super) fn is_ours(ty: &Type) -> bool {
    matches!(*ty, Type::INT8 | Type::INT4 | Type::TEXT | Type::VARCHAR | Type::BYTEA)
}

pub(super) fn decode(row: &PgRow) -> Result<Row> {
    (0..row.len()).map(|column| row.try_get(column).map_err(Error::other)).collect::<Result<Vec<Value>>>().map(Row)
}
