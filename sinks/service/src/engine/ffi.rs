//! libchdb, the ClickHouse engine as a library: the only file that names its C interface, and the only one with `unsafe`.
//!
//! What the wrapper guarantees to its callers:
//! * the library is loaded once and never unloaded (it has threads and exit handlers of its own);
//! * its signal handlers are switched off before the first connection;
//! * a call on a connection needs `&mut`, so calls on one connection cannot overlap;
//! * after any failure a connection calls itself [`Connection::is_tainted`]: the engine keeps a failed query's partial
//!   output and would put it before the next result, so its owner must drop it;
//! * every result, insert stream and connection is freed exactly once.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::{ptr, slice};

use super::EngineError;

/// What `chdb_connect` returns: a pointer to the handle that every other call takes.
type ConnectionSlot = *mut ConnectionHandle;
type ConnectionHandle = *mut c_void;
type ResultHandle = *mut c_void;
type InsertHandle = *mut c_void;

/// Text of a failure that the library reported without saying why.
const UNEXPLAINED: &str = "Code: 1001. DB::Exception: the engine failed without a message. (STD_EXCEPTION)";

macro_rules! interface {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the library, resolved once.
        struct Functions { $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)* }

        impl Functions {
            #[expect(unsafe_code, reason = "symbols of a library loaded at run time have no safe form")]
            fn resolve(library: &libloading::Library) -> Result<Self, libloading::Error> {
                // SAFETY: the signatures below are those of the library's public header, and the library is never
                // unloaded, so the function pointers stay valid.
                unsafe { Ok(Self { $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)* }) }
            }
        }
    };
}

interface! {
    chdb_connect: fn(c_int, *const *const c_char) -> ConnectionSlot;
    chdb_close_conn: fn(ConnectionSlot);
    chdb_query_with_params_n: fn(
        ConnectionHandle, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> ResultHandle;
    chdb_stream_query_with_params_n: fn(
        ConnectionHandle, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> ResultHandle;
    chdb_stream_fetch_result: fn(ConnectionHandle, ResultHandle) -> ResultHandle;
    chdb_stream_cancel_query: fn(ConnectionHandle, ResultHandle);
    chdb_destroy_query_result: fn(ResultHandle);
    chdb_result_buffer: fn(ResultHandle) -> *mut c_char;
    chdb_result_length: fn(ResultHandle) -> usize;
    chdb_result_error: fn(ResultHandle) -> *const c_char;
    chdb_result_elapsed: fn(ResultHandle) -> f64;
    chdb_result_rows_read: fn(ResultHandle) -> u64;
    chdb_result_storage_rows_read: fn(ResultHandle) -> u64;
    chdb_result_storage_bytes_read: fn(ResultHandle) -> u64;
    chdb_result_rows_written: fn(ResultHandle) -> u64;
    chdb_result_bytes_written: fn(ResultHandle) -> u64;
    chdb_stream_insert_n: fn(ConnectionHandle, *const c_char, usize, *const c_char, usize) -> InsertHandle;
    chdb_stream_append: fn(InsertHandle, *const c_void, usize) -> c_int;
    chdb_stream_done: fn(InsertHandle) -> ResultHandle;
    chdb_stream_cancel_insert: fn(InsertHandle);
    chdb_stream_insert_error: fn(InsertHandle) -> *const c_char;
    chdb_destroy_insert_stream: fn(InsertHandle);
    chdb_set_signal_handlers_enabled: fn(c_int);
    chdb_version: fn() -> *const c_char;
}

/// What the engine answered instead of a result: its own text, `Code: N. DB::Exception: … (NAME)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception(pub String);

impl Exception {
    /// An exception of our own in the engine's form, so that clients read both alike.
    pub fn new(code: u32, name: &str, message: impl std::fmt::Display) -> Self {
        Self(format!("Code: {code}. DB::Exception: {message}. ({name})"))
    }

    /// ClickHouse's number for the failure; 1001 (STD_EXCEPTION) where the text carries none.
    pub fn code(&self) -> u32 {
        const STD_EXCEPTION: u32 = 1001;
        self.0
            .split_once("Code: ")
            .and_then(|(_, rest)| rest.split('.').next())
            .and_then(|code| code.trim().parse().ok())
            .unwrap_or(STD_EXCEPTION)
    }
}

/// The loaded library.
pub struct Library {
    functions: Functions,
}

impl Library {
    /// Loads the library for the life of the process and switches its signal handlers off.
    #[expect(unsafe_code, reason = "loading a library runs its initialisers")]
    pub fn load(path: &Path) -> Result<&'static Self, EngineError> {
        let failed = |source| EngineError::Load { path: path.to_owned(), source };
        // SAFETY: the file is the pinned release of libchdb or one that the user named; its initialisers touch nothing
        // of ours. It happens once, at the start of a process that does nothing else.
        let library = unsafe { libloading::Library::new(path) }.map_err(failed)?;
        let functions = Functions::resolve(&library).map_err(failed)?;
        // Unloading would pull the code from under the engine's own threads.
        std::mem::forget(library);
        // SAFETY: takes a plain integer, and no connection exists yet.
        unsafe { (functions.chdb_set_signal_handlers_enabled)(0) };
        Ok(Box::leak(Box::new(Self { functions })))
    }

    /// The version as the library tells it.
    #[expect(unsafe_code, reason = "reads a C string")]
    pub fn version(&self) -> String {
        // SAFETY: the call has no preconditions and answers null or a static string.
        unsafe { text((self.functions.chdb_version)()) }.unwrap_or_default()
    }

    /// Opens a connection; `None` where the engine refuses (it writes the reason to stderr), for one because another
    /// process holds the data path.
    #[expect(unsafe_code, reason = "calls the C interface")]
    pub fn connect(&'static self, arguments: &[String]) -> Option<Connection> {
        let arguments: Vec<CString> =
            std::iter::once("clickhouse").chain(arguments.iter().map(String::as_str)).map(CString::new).collect::<Result<_, _>>().ok()?;
        let pointers: Vec<*const c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        // SAFETY: `pointers` holds `count` NUL-terminated strings that outlive the call.
        let slot = unsafe { (self.functions.chdb_connect)(count, pointers.as_ptr()) };
        // SAFETY: a non-null answer points at a handle that stays valid until `chdb_close_conn`.
        if slot.is_null() || unsafe { (*slot).is_null() } {
            return None;
        }
        Some(Connection { library: self, slot, tainted: false })
    }
}

/// Values for `{name:Type}` in a statement.
pub type Parameters = [(String, String)];

/// One connection: its own database, settings and temporary tables, in the one engine of the process.
pub struct Connection {
    library: &'static Library,
    slot: ConnectionSlot,
    tainted: bool,
}

#[expect(unsafe_code, reason = "a raw pointer takes the type its automatic Send")]
// SAFETY: the library ties a connection to no thread, and `&mut` on every call keeps them from overlapping.
unsafe impl Send for Connection {}

impl Drop for Connection {
    #[expect(unsafe_code, reason = "calls the C interface")]
    fn drop(&mut self) {
        // SAFETY: the slot came from `chdb_connect` and is closed here only.
        unsafe { (self.library.functions.chdb_close_conn)(self.slot) }
    }
}

impl Connection {
    /// Whether anything failed on it, was cut short or changed it; such a connection must not serve another request.
    pub fn is_tainted(&self) -> bool {
        self.tainted
    }

    /// Says that a statement may have changed it (`SET`, `USE`, a temporary table).
    pub fn retire(&mut self) {
        self.tainted = true;
    }

    #[expect(unsafe_code, reason = "reads the handle behind the slot")]
    fn handle(&self) -> ConnectionHandle {
        // SAFETY: the slot is non-null and valid until `drop`.
        unsafe { *self.slot }
    }

    fn taint<T>(&mut self, result: Result<T, Exception>) -> Result<T, Exception> {
        self.tainted |= result.is_err();
        result
    }

    /// Runs a statement to its end and answers its whole output.
    #[expect(unsafe_code, reason = "calls the C interface")]
    pub fn query(&mut self, sql: &[u8], format: &str, parameters: &Parameters) -> Result<Output, Exception> {
        let list = ParameterList::of(parameters);
        // SAFETY: every pointer goes with the length of the slice that it came from, and all outlive the call.
        let result = unsafe {
            (self.library.functions.chdb_query_with_params_n)(
                self.handle(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                list.names.as_ptr(),
                list.name_lengths.as_ptr(),
                list.values.as_ptr(),
                list.value_lengths.as_ptr(),
                parameters.len(),
            )
        };
        let output = Output::checked(self.library, result);
        self.taint(output)
    }

    /// Runs a query and hands its output over in chunks, each beginning with the format's header where it has one;
    /// `take` answers whether it wants more.
    #[expect(unsafe_code, reason = "calls the C interface")]
    pub fn query_in_chunks(
        &mut self,
        sql: &[u8],
        format: &str,
        parameters: &Parameters,
        mut take: impl FnMut(Output) -> bool,
    ) -> Result<(), Exception> {
        let list = ParameterList::of(parameters);
        // SAFETY: as in `query`.
        let stream = unsafe {
            (self.library.functions.chdb_stream_query_with_params_n)(
                self.handle(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                list.names.as_ptr(),
                list.name_lengths.as_ptr(),
                list.values.as_ptr(),
                list.value_lengths.as_ptr(),
                parameters.len(),
            )
        };
        let stream = Output::checked(self.library, stream);
        let stream = self.taint(stream)?;
        loop {
            // SAFETY: the stream belongs to this connection, which no other call uses meanwhile.
            let chunk = unsafe { (self.library.functions.chdb_stream_fetch_result)(self.handle(), stream.result) };
            let chunk = Output::checked(self.library, chunk);
            let chunk = self.taint(chunk)?;
            if chunk.as_ref().is_empty() && chunk.rows() == 0 {
                return Ok(());
            }
            if !take(chunk) {
                self.tainted = true;
                // SAFETY: as above; nothing is fetched from the stream afterwards.
                unsafe { (self.library.functions.chdb_stream_cancel_query)(self.handle(), stream.result) };
                return Ok(());
            }
        }
    }

    /// Begins an insert: `sql` without its FORMAT clause, the data to be appended.
    #[expect(unsafe_code, reason = "calls the C interface")]
    pub fn insert(&mut self, sql: &[u8], format: &str) -> Result<Insert<'_>, Exception> {
        // SAFETY: pointers with the lengths of their slices. The answer is never null.
        let stream = unsafe {
            (self.library.functions.chdb_stream_insert_n)(
                self.handle(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
            )
        };
        // Until it has finished, the connection counts as cut short.
        let was_tainted = std::mem::replace(&mut self.tainted, true);
        let insert = Insert { connection: self, stream, was_tainted, finished: false };
        match insert.error() {
            Some(text) => Err(Exception(text)),
            None => Ok(insert),
        }
    }
}

/// An insert whose data is still coming. Dropped before [`Insert::finish`] it is cancelled and leaves no row.
pub struct Insert<'a> {
    connection: &'a mut Connection,
    stream: InsertHandle,
    was_tainted: bool,
    finished: bool,
}

impl Insert<'_> {
    #[expect(unsafe_code, reason = "reads a C string")]
    fn error(&self) -> Option<String> {
        // SAFETY: the stream is valid until `drop`; the answer is null or a string that lives as long as the stream.
        unsafe { text((self.connection.library.functions.chdb_stream_insert_error)(self.stream)) }.filter(|text| !text.is_empty())
    }

    /// Takes the next bytes; the cut may lie anywhere, also inside a row.
    #[expect(unsafe_code, reason = "calls the C interface")]
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Exception> {
        // SAFETY: pointer and length of one slice; the engine copies or consumes it before it returns.
        let code = unsafe { (self.connection.library.functions.chdb_stream_append)(self.stream, bytes.as_ptr().cast(), bytes.len()) };
        if code == 0 { Ok(()) } else { Err(Exception(self.error().unwrap_or_else(|| UNEXPLAINED.into()))) }
    }

    /// Ends the data and waits until the rows are stored.
    #[expect(unsafe_code, reason = "calls the C interface")]
    pub fn finish(mut self) -> Result<Output, Exception> {
        self.finished = true;
        // SAFETY: the stream is valid, and nothing is appended afterwards.
        let result = unsafe { (self.connection.library.functions.chdb_stream_done)(self.stream) };
        if result.is_null() {
            return Err(Exception(self.error().unwrap_or_else(|| UNEXPLAINED.into())));
        }
        let output = Output::checked(self.connection.library, result)?;
        self.connection.tainted = self.was_tainted;
        Ok(output)
    }
}

impl Drop for Insert<'_> {
    #[expect(unsafe_code, reason = "calls the C interface")]
    fn drop(&mut self) {
        let functions = &self.connection.library.functions;
        // SAFETY: the stream is valid and destroyed here only.
        unsafe {
            if !self.finished {
                (functions.chdb_stream_cancel_insert)(self.stream);
            }
            (functions.chdb_destroy_insert_stream)(self.stream);
        }
    }
}

/// The output of a statement, in the engine's own memory.
pub struct Output {
    library: &'static Library,
    result: ResultHandle,
}

#[expect(unsafe_code, reason = "a raw pointer takes the type its automatic Send")]
// SAFETY: a result is a heap object of its own that refers to no connection and no thread.
unsafe impl Send for Output {}
#[expect(unsafe_code, reason = "a raw pointer takes the type its automatic Sync")]
// SAFETY: every call on a shared result only reads it.
unsafe impl Sync for Output {}

impl Drop for Output {
    #[expect(unsafe_code, reason = "calls the C interface")]
    fn drop(&mut self) {
        // SAFETY: the result came from the library and is freed here only.
        unsafe { (self.library.functions.chdb_destroy_query_result)(self.result) }
    }
}

impl AsRef<[u8]> for Output {
    #[expect(unsafe_code, reason = "a slice over the engine's memory")]
    fn as_ref(&self) -> &[u8] {
        let functions = &self.library.functions;
        // SAFETY: the result is valid; buffer and length belong together and stay unchanged until it is freed.
        unsafe {
            let (buffer, length) = ((functions.chdb_result_buffer)(self.result), (functions.chdb_result_length)(self.result));
            if buffer.is_null() || length == 0 { &[] } else { slice::from_raw_parts(buffer.cast_const().cast(), length) }
        }
    }
}

impl Output {
    #[expect(unsafe_code, reason = "calls the C interface")]
    fn checked(library: &'static Library, result: ResultHandle) -> Result<Self, Exception> {
        if ptr::eq(result, ptr::null()) {
            return Err(Exception(UNEXPLAINED.into()));
        }
        let output = Self { library, result };
        // SAFETY: the result is valid; the answer is null or a string that lives as long as the result.
        match unsafe { text((library.functions.chdb_result_error)(result)) } {
            Some(error) if !error.is_empty() => Err(Exception(error)),
            _ => Ok(output),
        }
    }

    /// Rows in this output.
    #[expect(unsafe_code, reason = "calls the C interface")]
    pub fn rows(&self) -> u64 {
        // SAFETY: the result is valid.
        unsafe { (self.library.functions.chdb_result_rows_read)(self.result) }
    }

    /// The counts of the `X-ClickHouse-Summary` header, as its JSON.
    #[expect(unsafe_code, reason = "calls the C interface")]
    pub fn summary(&self) -> String {
        let functions = &self.library.functions;
        // SAFETY: the result is valid, and these calls only read it.
        let (read_rows, read_bytes, written_rows, written_bytes, elapsed_seconds) = unsafe {
            (
                (functions.chdb_result_storage_rows_read)(self.result),
                (functions.chdb_result_storage_bytes_read)(self.result),
                (functions.chdb_result_rows_written)(self.result),
                (functions.chdb_result_bytes_written)(self.result),
                (functions.chdb_result_elapsed)(self.result),
            )
        };
        let (rows, bytes, elapsed_ns) = (self.rows(), self.as_ref().len(), (elapsed_seconds.max(0.0) * 1e9) as u64);
        format!(
            r#"{{"read_rows":"{read_rows}","read_bytes":"{read_bytes}","written_rows":"{written_rows}","written_bytes":"{written_bytes}","total_rows_to_read":"0","result_rows":"{rows}","result_bytes":"{bytes}","elapsed_ns":"{elapsed_ns}"}}"#
        )
    }
}

/// The parameters in the four arrays that the C interface wants.
struct ParameterList {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
}

impl ParameterList {
    fn of(parameters: &Parameters) -> Self {
        Self {
            names: parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect(),
            name_lengths: parameters.iter().map(|(name, _)| name.len()).collect(),
            values: parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect(),
            value_lengths: parameters.iter().map(|(_, value)| value.len()).collect(),
        }
    }
}

/// A C string as text, `None` for null.
///
/// # Safety
/// `string` is null or points at a NUL-terminated string that lives through the call.
#[expect(unsafe_code, reason = "reads a C string")]
unsafe fn text(string: *const c_char) -> Option<String> {
    if string.is_null() {
        return None;
    }
    // SAFETY: promised by the caller.
    Some(unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned())
}
