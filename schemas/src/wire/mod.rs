//! Records as bytes: Avro, framed with the fingerprint or the id of the schema they were written with.

mod codec;
mod embedded;
pub(crate) mod field;
mod ids;
mod input;
mod owned;
mod record;
pub(crate) mod records;
pub(crate) mod tombstone;
pub(crate) mod values;

pub use codec::{Codec, SchemaId};
pub use embedded::{Schemas, schemas};
pub use ids::{SchemaError, SchemaIds};
pub use record::{AnyRecord, Kind};
pub use values::{from_avro_value, to_avro_value};
