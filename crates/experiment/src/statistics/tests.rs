//! The statistics against SciPy's values, and against chance.
