//! The schemas that frames name beside ours by fingerprint: one table, shared by every codec of a process.

use super::codec::SchemaId;
use super::embedded::{EARLIER, fingerprint, schemas};
use super::record::Kind;
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::schema_equality::{SchemataEq, StructFieldEq};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Why records of a schema cannot be read, or not be written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    #[error("cannot parse the schema {id}")]
    Parse { id: SchemaId, source: Arc<apache_avro::Error> },
    #[error("the schema {id} is of a record named {name:?}, which is none of ours")]
    UnknownName { id: SchemaId, name: String },
    #[error("records of the schema {id} cannot be read as {kind}: {reason}")]
    Incompatible { id: SchemaId, kind: &'static str, reason: String },
    #[error("the schema {id} is not the one that {kind} is written with")]
    NotOurs { id: SchemaId, kind: &'static str },
}

/// What to do with a payload of a schema.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// Exactly our current schema.
    Fast(Kind),
    /// Another schema of the same kind.
    Resolve(Kind, Arc<Older>),
    /// None that is read here.
    Refuse(SchemaError),
}

/// How records of another schema are read as ours. Resolving the names of both schemas takes longer than reading a record, so
/// that is done once.
pub(super) struct Older {
    pub reader: GenericDatumReader<'static>,
    schema: &'static Schema,
}

impl Older {
    fn new(kind: Kind, schema: Schema) -> Result<Self, apache_avro::Error> {
        // The reader borrows the schema. What an id means stays for as long as the process runs anyway, and the table that holds it
        // is one, so this is given up once for each id.
        let schema: &'static Schema = Box::leak(Box::new(schema));
        let reader = GenericDatumReader::builder(schema).reader_schema(&schemas().of(kind).schema).build()?;
        Ok(Self { reader, schema })
    }
}

impl std::fmt::Debug for Older {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Older").field(self.schema).finish()
    }
}

/// No id is as large: they have 32 bits.
const NONE: u64 = u64::MAX;

/// The schemas that were learned, by the names that frames have for them, and the ids under which a schema registry
/// holds our own. An id never changes its meaning, so what is here stays.
#[derive(Debug)]
pub struct SchemaIds {
    /// Of our current schemas, in the order of `Kind::ALL`. Read for every record, so without a lock.
    own: [AtomicU64; Kind::ALL.len()],
    /// Whatever else was learned; asked only where a frame names neither our fingerprint nor our id.
    learned: RwLock<BTreeMap<SchemaId, Route>>,
}

impl Default for SchemaIds {
    fn default() -> Self {
        Self { own: [const { AtomicU64::new(NONE) }; Kind::ALL.len()], learned: RwLock::default() }
    }
}

impl SchemaIds {
    /// The id that frames of this kind are written with; `None`: they carry the fingerprint.
    pub fn own(&self, kind: Kind) -> Option<u32> {
        u32::try_from(self.own[kind as usize].load(Ordering::Acquire)).ok()
    }

    /// Takes in what `id` means: `json` is the schema's text. Tells the kind where it is exactly our current schema. A
    /// schema that no record of ours can be read from is remembered as that. The first meaning of an id stays.
    pub fn learn(&self, id: SchemaId, json: &str) -> Result<Option<Kind>, SchemaError> {
        let route = match self.route(id) {
            Some(known) => known,
            None => {
                let route = route(id, json).unwrap_or_else(Route::Refuse);
                let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
                learned.entry(id).or_insert(route).clone()
            }
        };
        match route {
            Route::Fast(kind) => Ok(Some(kind)),
            Route::Resolve(..) => Ok(None),
            Route::Refuse(error) => Err(error),
        }
    }

    /// Frames of the kind are written with `id` from now on. It must have been learned, and mean exactly our current schema:
    /// whoever reads by the registry would read something else.
    pub fn adopt(&self, kind: Kind, id: u32) -> Result<(), SchemaError> {
        let named = SchemaId::Registry(id);
        match self.route(named) {
            Some(Route::Fast(meant)) if meant == kind => self.own[kind as usize].store(u64::from(id), Ordering::Release),
            _ => return Err(SchemaError::NotOurs { id: named, kind: kind.name() }),
        }
        Ok(())
    }

    pub fn knows(&self, id: SchemaId) -> bool {
        self.route(id).is_some()
    }

    /// What to do with a payload of the schema; `None` where it is not known.
    #[inline]
    pub(super) fn route(&self, id: SchemaId) -> Option<Route> {
        if let SchemaId::Registry(id) = id
            && let Some(index) = self.own.iter().position(|own| own.load(Ordering::Acquire) == u64::from(id))
        {
            return Kind::ALL.get(index).map(|kind| Route::Fast(*kind));
        }
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        learned.or_else(|| earlier().get(&id).cloned())
    }
}

/// What earlier releases wrote, by the fingerprints of their schemas.
#[expect(clippy::expect_used, reason = "the files are part of the program, and a test reads by each")]
fn earlier() -> &'static BTreeMap<SchemaId, Route> {
    static EARLIER_ROUTES: OnceLock<BTreeMap<SchemaId, Route>> = OnceLock::new();
    EARLIER_ROUTES.get_or_init(|| {
        let named = |(_, json): &(Kind, &str)| {
            let schema = Schema::parse_str(json).expect("a published schema parses");
            let id = SchemaId::Fingerprint(fingerprint(&schema));
            (id, route(id, json).unwrap_or_else(Route::Refuse))
        };
        EARLIER.iter().map(named).collect()
    })
}

fn route(id: SchemaId, json: &str) -> Result<Route, SchemaError> {
    let schema = Schema::parse_str(json).map_err(|source| SchemaError::Parse { id, source: Arc::new(source) })?;
    let name = schema.name().map(|name| name.name().to_owned()).unwrap_or_default();
    let kind = Kind::from_name(&name).ok_or(SchemaError::UnknownName { id, name })?;
    let ours = schemas().of(kind);
    SchemaCompatibility::can_read(&schema, &ours.schema).map_err(|source| SchemaError::Incompatible {
        id,
        kind: kind.name(),
        reason: source.to_string(),
    })?;
    // The fingerprint leaves the logical types out, so that milliseconds would pass for microseconds.
    let fields = StructFieldEq { include_attributes: false };
    let same = fingerprint(&schema) == ours.fingerprint && fields.compare(&schema, &ours.schema);
    if same {
        return Ok(Route::Fast(kind));
    }
    let older = Older::new(kind, schema).map_err(|source| SchemaError::Parse { id, source: Arc::new(source) })?;
    Ok(Route::Resolve(kind, Arc::new(older)))
}
