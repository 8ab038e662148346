//! Objects of a frozen class, made as its own `__init__` makes them, with `object.__new__` and `object.__setattr__`, but by the functions
//! behind these: the calls would take longer than all else that is done for an object (`bench.py`: 0.9 µs by calls, 0.2 µs here).
//!
//! Known limits: the one place of this crate with `unsafe`.
#![allow(unsafe_code)]

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

/// Makes objects of a class without fields.
pub(crate) struct Blank<'py> {
    class: Bound<'py, PyType>,
    new: ffi::newfunc,
    nothing: Bound<'py, PyTuple>,
}

impl<'py> Blank<'py> {
    /// Of a class that leaves `__new__` to `object`.
    pub(crate) fn of(class: &Bound<'py, PyType>) -> PyResult<Self> {
        let py = class.py();
        let object = py.get_type::<PyAny>();
        // It looks at the class, and raises where it cannot make its objects.
        object.call_method1(intern!(py, "__new__"), (class,))?;
        // SAFETY: the type is `object`, and a slot of it is a pointer to a function of the slot's type, or null.
        let new = unsafe {
            let slot = ffi::PyType_GetSlot(object.as_type_ptr(), ffi::Py_tp_new);
            std::mem::transmute::<*mut std::ffi::c_void, Option<ffi::newfunc>>(slot)
        };
        let new = new.ok_or_else(|| PyTypeError::new_err("objects cannot be made"))?;
        Ok(Blank { class: class.clone(), new, nothing: PyTuple::empty(py) })
    }

    /// An object of the class.
    pub(crate) fn make(&self) -> PyResult<Bound<'py, PyAny>> {
        let py = self.class.py();
        // SAFETY: `object.__new__` made an object of this class in `of`, and is this function after checks of the class alone. The class,
        // an empty tuple and no keywords are what it takes; what it gives is owned, or null with an error set.
        unsafe { Bound::from_owned_ptr_or_err(py, (self.new)(self.class.as_type_ptr(), self.nothing.as_ptr(), std::ptr::null_mut())) }
    }
}

/// Sets a field of a new object, whatever its class says about that.
pub(crate) fn set<'py>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>, value: &Bound<'py, PyAny>) -> PyResult<()> {
    // SAFETY: all three are objects, which are held for as long as the call lasts; it takes references of its own.
    match unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), value.as_ptr()) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(object.py())),
    }
}
