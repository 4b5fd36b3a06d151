//! Cheap cues over one turn: which class a unit belongs to. One scan per text, whatever the number of rules.
