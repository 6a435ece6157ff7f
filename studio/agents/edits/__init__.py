"""What a model asks to change: parsing it, finding its place, applying it all or nothing, writing it safely."""
