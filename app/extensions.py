"""The Flask extensions; ``create_app`` binds them to an application."""

from datetime import datetime

import psycopg
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import DateTime, MetaData, Text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base of all models; constraints are named by one convention so that errors can be recognised by name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix__%(table_name)s__%(column_0_N_name)s",
            "uq": "uq__%(table_name)s__%(column_0_N_name)s",
            "ck": "ck__%(table_name)s__%(constraint_name)s",
            "fk": "fk__%(table_name)s__%(referred_table_name)s",
            "pk": "pk__%(table_name)s",
        }
    )


Base.registry.update_type_annotation_map({str: Text(), datetime: DateTime(timezone=True)})

db = SQLAlchemy(model_class=Base)
login_manager = LoginManager()
csrf = CSRFProtect()

#: What is raised when the database cannot do something: by SQLAlchemy, or by the driver where it is used directly.
DATABASE_ERRORS = (SQLAlchemyError, psycopg.Error)
